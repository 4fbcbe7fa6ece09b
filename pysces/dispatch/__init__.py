"""Between the algorithms and the engines: what a kernel promises, and who computes it.

``operations`` declares every kernel once; ``contracts`` says what a declaration holds; ``cases``
are inputs on which the engines must agree; ``engines`` chooses and asks them; ``chunks`` cuts work
into blocks that fit the memory.
"""
