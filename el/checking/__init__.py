"""What a role needs at both ends, as statements (`grants`) and as a look at what is there (`check`)."""
