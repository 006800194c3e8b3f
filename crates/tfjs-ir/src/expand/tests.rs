//! Expansions compute what the interpreter's formulas do.
