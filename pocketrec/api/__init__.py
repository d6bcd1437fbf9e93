"""The public functions and classes; `import pocketrec as pr` has them all."""
