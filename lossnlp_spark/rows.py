"""Rows of a table of deals into requests: either a column holds a request's JSON, or columns are named as its fields."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as f

from lossnlp.deal import Deal
from lossnlp.errors import InvalidDealError

_HEAD = frozenset(Deal.model_fields) - {"id", "documents"}


def requests_of(deals: DataFrame, parts: int) -> DataFrame:
    """Gives the request of each row, encoded, and the part it belongs to.

    Args:
        deals: Rows with a column `deal` (a request's JSON text); or `id` with `text` (one rep note) or with `documents` (an
            array of structs, or its JSON text), and columns named as other fields of a deal.
        parts: Into how many parts the rows are cut, by a hash of `id` or of `deal`, which every release of Spark computes alike.

    Returns:
        Rows of `request` (binary) and `part_id` (int, 0 to `parts` - 1).

    Raises:
        InvalidDealError: The columns are neither.
    """
    if "deal" in deals.columns and _is_text(deals, "deal"):
        key = request = f.col("deal")
    else:
        key, request = f.col("id").cast("string"), _request_of_columns(deals)
    part = f.pmod(f.xxhash64(key), f.lit(parts)).cast("int")
    return deals.select(request.cast("binary").alias("request"), part.alias("part_id"))


def _is_text(deals: DataFrame, column: str) -> bool:
    return bool(deals.schema[column].dataType.typeName() == "string")


def _request_of_columns(deals: DataFrame) -> Column:
    given = set(deals.columns)
    if "id" not in given or not given & {"text", "documents"}:
        raise InvalidDealError(
            "The input has neither a column 'deal' of text nor 'id' with 'text' or 'documents'; rename what it has."
        )
    head = [f.col("id").cast("string").alias("id"), *(f.col(name) for name in sorted(given & _HEAD))]
    if "documents" not in given:
        return f.to_json(f.struct(*head, f.col("text")))
    documents = f.col("documents") if _is_text(deals, "documents") else f.to_json("documents")
    written = f.coalesce(documents, f.lit("null"))
    return f.concat(f.lit('{"deal":'), f.to_json(f.struct(*head)), f.lit(',"documents":'), written, f.lit("}"))
