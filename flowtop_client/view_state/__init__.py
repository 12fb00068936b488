"""What the screen shows and asks for, as one frozen value and pure steps from one to the next."""
