"""What acts on jobs, or reads what came out of them."""
