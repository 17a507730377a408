"""What the commands of `gallery` print, one file each."""
