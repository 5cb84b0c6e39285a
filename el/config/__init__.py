"""What the user says: el.yml and profiles.yml, as frozen values."""
