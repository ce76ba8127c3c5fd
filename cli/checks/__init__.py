"""What ``orderlog doctor`` looks at. Every check says what it found and, when that is wrong, what to do about it."""
