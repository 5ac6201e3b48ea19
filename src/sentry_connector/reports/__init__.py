"""What can be pulled: the catalogue of reports, their menus, and dates turned into windows. Pure data and arithmetic."""
