//! Macros that unroll loops.

/// Repeats a statement for `$i` = 0, 1, ... below `$n`, unrolled in the source: the compiler does not unroll a loop
/// over this many accumulators, and an accumulator indexed by a variable is kept in memory.
macro_rules! unroll {
    ($i:ident < $n:expr => $body:stmt) => {
        $crate::unroll::unroll!(@ $i, $n, $body; 0 1 2 3 4 5 6 7 8 9 10 11 12 13)
    };
    (@ $i:ident, $n:expr, $body:stmt; $($at:literal)*) => {
        $(if $at < $n {
            #[allow(non_upper_case_globals, reason = "it reads as a loop variable")]
            const $i: usize = $at;
            $body
        })*
    };
}
/// The same for up to four.
macro_rules! unroll4 {
    ($i:ident < $n:expr => $body:stmt) => {
        $crate::unroll::unroll!(@ $i, $n, $body; 0 1 2 3)
    };
}

pub(crate) use {unroll, unroll4};
