"""The file that `spark-submit` takes: it knows a Python program by its ending alone."""

from lossnlp_spark.cli import main

main()
