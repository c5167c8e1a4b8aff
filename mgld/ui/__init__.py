"""The page: Gradio components, their wiring, and every word of it. What it shows is made in mgld.comparison."""
