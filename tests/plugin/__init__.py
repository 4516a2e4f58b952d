"""Black-box tests of the plugin: pytest is run on projects as users have them."""
