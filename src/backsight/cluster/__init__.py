"""Several machines that do one run together: where its ranks and its slow parts are placed, and what they report."""
