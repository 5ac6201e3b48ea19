"""What a DataSet is, and which combinations make sense."""
