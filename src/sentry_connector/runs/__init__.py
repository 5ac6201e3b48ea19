"""One execution of a DataSet: a resumable function from its definition to a commit and a verdict."""
