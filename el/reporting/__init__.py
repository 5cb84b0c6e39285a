"""What a person sees of a plan and of a run."""
