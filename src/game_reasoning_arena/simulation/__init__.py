"""What agents do: play games of OpenSpiel, or answer prompts."""
