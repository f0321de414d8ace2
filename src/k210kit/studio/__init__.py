"""Looking at a camera's stream: the live page, the terminal view, files, and the StickC on the desk."""
