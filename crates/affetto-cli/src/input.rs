//! Reading files of the user's: never more than such a file can hold.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The largest judge or reference file that is read; those that are published take some ten thousand bytes.
pub const MAX_TEXT: u64 = 16 << 20;

/// The bytes of a file of at most `max` bytes.
///
/// # Errors
/// The system's, or that the file is larger.
pub fn bytes(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {max} bytes")));
    }
    Ok(bytes)
}

/// The text of a file of at most [`MAX_TEXT`] bytes.
///
/// # Errors
/// As [`bytes`], or that it is not UTF-8.
pub fn text(path: &Path) -> io::Result<String> {
    String::from_utf8(bytes(path, MAX_TEXT)?).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_the_limit_and_no_further() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "four").unwrap();
        assert_eq!(bytes(&path, 4).unwrap(), b"four");
        assert!(bytes(&path, 3).unwrap_err().to_string().contains("larger than 3 bytes"));
        assert_eq!(text(&path).unwrap(), "four");
        std::fs::write(&path, [0xff]).unwrap();
        assert!(text(&path).unwrap_err().to_string().contains("UTF-8"));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_without_end_is_refused() {
        assert!(text(Path::new("/dev/zero")).unwrap_err().to_string().contains("larger"));
    }
}
