"""The workbench of those who work with the book: underwriters, actuaries, administrators, privacy officers."""
