"""What comes and goes: new files, copies, archives, departures, losses."""
