//! What is said of rows that are no datapoints.

use crate::io::Masked;

/// A line, nothing where every row is a datapoint.
pub fn line(masked: &Masked) -> String {
    let Masked { of, rows, weight, nonfinite, norm, unread, max_norm_multiple, .. } = *masked;
    if rows == 0 && unread == 0 {
        return String::new();
    }
    let mut parts = Vec::new();
    if weight > 0 {
        parts.push(format!("{weight} of weight 0"));
    }
    if nonfinite > 0 {
        parts.push(format!("{nonfinite} not finite"));
    }
    if let Some(multiple) = max_norm_multiple.filter(|_| norm > 0) {
        parts.push(format!("{norm} of more than {multiple} times the median norm"));
    }
    if unread > 0 {
        parts.push(format!("{unread} not read"));
    }
    format!("left out {} of {of} rows: {}\n", rows + unread, parts.join(", "))
}
