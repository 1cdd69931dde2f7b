"""Methods that change the target: a teacher that knows more says what each decision should have been like."""
