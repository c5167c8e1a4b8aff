"""A comparison without a page: what is asked, what is run and remembered, what is measured of it, what is taken home."""
