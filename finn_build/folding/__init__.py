"""How parallel each layer is: what that costs, when it works, and the search."""
