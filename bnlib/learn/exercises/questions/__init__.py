"""The exercises that ask a question, one file each."""
