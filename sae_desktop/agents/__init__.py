"""What agents may ask of a project: bounded answers, and jobs where a person allowed them."""
