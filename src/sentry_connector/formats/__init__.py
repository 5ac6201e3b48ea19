"""Files of rows: JSON Lines, CSV, Parquet, Arrow, Excel; written batch by batch in constant memory."""
