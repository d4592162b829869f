"""The features of an index as a list: columns, filters, kept lists."""
