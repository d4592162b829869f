"""The scan: which features of which dictionaries tell the texts of concept sets apart."""
