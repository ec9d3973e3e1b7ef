//! The lines of a file, one after the other or at a place that is known, never more in memory than one.

use crate::cli::Failure;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The longest line, in bytes. Inclusive; a longer one is wrong, and the next is read as usual.
pub(super) const LINE_BYTES_MAX: usize = 16 * 1024;

/// A file that is read line by line.
pub(super) struct Lines {
    file: BufReader<File>,
    path: PathBuf,
    line: Vec<u8>,
    /// Where the newest line stands.
    pub(super) place: Place,
    /// How much of the file was read, in bytes.
    pub(super) read: u64,
    /// How long the file is, in bytes.
    pub(super) length: u64,
}

/// Where a line stands in its file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Place {
    /// Which line it is, counted from 1.
    pub(super) number: u64,
    /// Where it begins, in bytes.
    offset: u64,
    /// How long it is, in bytes.
    pub(super) length: u32,
}

/// A line that is not empty: its number, and its text, or why it has none.
pub(super) type Line<'a> = (u64, Result<&'a str, &'static str>);

impl Lines {
    /// Opens a file; it must be one that can be read twice.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let unreadable = |why: io::Error| unreadable(path, &why);
        let file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(Failure::wrong_usage(format!("{} is no regular file", path.display()))
                .because("it is read twice: once to check it, once to bring it in"));
        }
        let file = BufReader::with_capacity(256 * 1024, file);
        let (line, length, place) = (Vec::new(), metadata.len(), Place::default());
        Ok(Self { file, path: path.into(), line, place, read: 0, length })
    }

    /// The next line that is not empty.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, Failure> {
        loop {
            match self.fill().map_err(|why| unreadable(&self.path, &why))? {
                0 => return Ok(None),
                bytes if LINE_BYTES_MAX < bytes => {
                    return Ok(Some((self.place.number, Err("line: is longer than 16 KiB"))));
                }
                _ if self.line.trim_ascii().is_empty() => {}
                _ => break,
            }
        }
        let line = self.line.trim_ascii_end();
        self.place.length = u32::try_from(line.len()).unwrap_or(u32::MAX);
        let text = std::str::from_utf8(line);
        Ok(Some((self.place.number, text.map_err(|_| "line: is not UTF-8"))))
    }

    /// The line at a place where there was one; `None` if what stands there now is no text.
    pub(super) fn at(&mut self, place: Place) -> Result<Option<&str>, Failure> {
        self.line.resize(place.length as usize, 0);
        let read = self.file.get_ref().read_exact_at(&mut self.line, place.offset);
        read.map_err(|why| unreadable(&self.path, &why))?;
        Ok(std::str::from_utf8(&self.line).ok())
    }

    /// Reads a line and answers how long it is; of one that is too long, only its beginning is kept.
    fn fill(&mut self) -> io::Result<usize> {
        self.line.clear();
        (self.place.number, self.place.offset) = (self.place.number + 1, self.read);
        let most = LINE_BYTES_MAX as u64 + 2;
        let mut bytes = self.file.by_ref().take(most).read_until(b'\n', &mut self.line)?;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        }
        let kept = self.line.len();
        if LINE_BYTES_MAX < kept && bytes == kept {
            bytes += self.file.skip_until(b'\n')?;
        }
        self.read += bytes as u64;
        Ok(if LINE_BYTES_MAX < kept { kept } else { bytes.min(LINE_BYTES_MAX) })
    }
}

fn unreadable(path: &Path, why: &io::Error) -> Failure {
    Failure::could_not(format!("could not read {}", path.display())).because(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn read(content: &[u8]) -> Vec<(u64, Result<String, &'static str>)> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        let mut lines = Lines::open(file.path()).unwrap();
        let mut all = Vec::new();
        while let Some((number, text)) = lines.next().unwrap() {
            all.push((number, text.map(str::to_owned)));
        }
        assert_eq!(lines.read, lines.length);
        all
    }

    #[test]
    fn lines_are_counted_from_one_and_empty_ones_left_out() {
        let text = |text: &str| Ok(text.to_owned());
        assert_eq!(read(b""), []);
        assert_eq!(read(b"a\n\n \r\nb\r\nc"), [(1, text("a")), (4, text("b")), (5, text("c"))]);
    }

    #[test]
    fn a_line_is_found_again_where_it_stood() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all("\n一\r\n  zwei\n".as_bytes()).unwrap();
        let mut lines = Lines::open(file.path()).unwrap();
        let mut places = Vec::new();
        while lines.next().unwrap().is_some() {
            places.push(lines.place);
        }
        assert_eq!(places.iter().map(|place| place.number).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(lines.at(places[1]).unwrap(), Some("  zwei"));
        assert_eq!(lines.at(places[0]).unwrap(), Some("一"));
    }

    #[test]
    fn a_line_that_is_too_long_or_no_text_is_wrong_and_the_next_is_read() {
        let mut content = vec![b'x'; LINE_BYTES_MAX];
        content.extend(b"\n\xFF\n");
        content.extend(vec![b'y'; LINE_BYTES_MAX + 1]);
        content.push(b'\n');
        content.extend(vec![b'z'; 3 * LINE_BYTES_MAX]);
        content.extend(b"\nlast\n");
        let all = read(&content);
        let lengths: Vec<_> = all.iter().map(|(_, text)| text.as_ref().map(String::len)).collect();
        let long = Err(&"line: is longer than 16 KiB");
        let no_text = Err(&"line: is not UTF-8");
        assert_eq!(lengths, [Ok(LINE_BYTES_MAX), no_text, long, long, Ok(4)]);
        assert_eq!(all.last().map(|(number, _)| *number), Some(5));
    }
}
