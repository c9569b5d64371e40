"""Those who ship logs here: this project, its floors, and its peers."""
