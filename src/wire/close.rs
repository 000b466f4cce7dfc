//! What Pusher's close codes mean for the next connection (docs/kick.md §2.4). How long to wait is decided in
//! `reconnect.rs`.

use crate::domain::push::EndKind;

/// The meaning of a close code; `None` if the connection broke or the close frame had no code.
///
/// 4000 (TLS required) counts as refused: a connection without TLS was configured so, and only other parameters can
/// help.
pub(super) fn kind(code: Option<u16>) -> EndKind {
    match code {
        Some(4000..=4099) => EndKind::Refused,
        Some(4100..=4199) => EndKind::Later,
        Some(4200..=4299) => EndKind::ComeBack,
        _ => EndKind::Lost,
    }
}

#[cfg(test)]
mod tests {
    use super::kind;
    use crate::domain::push::EndKind::{self, ComeBack, Later, Lost, Refused};

    #[test]
    fn each_range_of_codes_has_its_meaning_up_to_its_bounds() {
        let table: [(Option<u16>, EndKind); 16] = [
            (None, Lost),
            (Some(1000), Lost),
            (Some(1006), Lost),
            (Some(3999), Lost),
            (Some(4000), Refused),
            (Some(4001), Refused),
            (Some(4099), Refused),
            (Some(4100), Later),
            (Some(4199), Later),
            (Some(4200), ComeBack),
            (Some(4201), ComeBack),
            (Some(4299), ComeBack),
            (Some(4300), Lost),
            (Some(4301), Lost),
            (Some(4999), Lost),
            (Some(u16::MAX), Lost),
        ];
        for (code, meaning) in table {
            assert_eq!(kind(code), meaning, "{code:?}");
        }
    }
}
