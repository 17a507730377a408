"""Human quality control: what is asked of people, and what they answered."""
