"""What each command does, a file each; `shell` is how all of them meet the shell and Hydra."""
