"""What a person sees of the service in a browser: pages that the server writes, and htmx keeps in step."""
