"""What each command does, a file each; `shell` is how all of them run from the shell."""
