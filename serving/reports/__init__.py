"""What leaders learn from losses: figures, the monthly loss review, and whom to call back when."""
