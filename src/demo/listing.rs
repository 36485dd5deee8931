//! The zips in a folder, as a reader that knows nothing of us finds them.

use std::io::Read as _;
use std::path::Path;

/// One zip: its key, and the lines of its one entry.
pub struct ListedObject {
    /// The path below the folder.
    pub key: String,
    /// The entry's lines.
    pub lines: Vec<String>,
}

/// All zips below a folder, in the order of keys.
///
/// # Errors
/// A sentence that names the file.
pub fn zips(root: &Path) -> Result<Vec<ListedObject>, String> {
    let mut objects = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "zip") {
                let lines = lines(&path).map_err(|error| format!("{}: {error}", path.display()))?;
                let key = path.strip_prefix(root).unwrap_or(&path).display().to_string();
                objects.push(ListedObject { key, lines });
            }
        }
    }
    objects.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(objects)
}

fn lines(path: &Path) -> Result<Vec<String>, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut zip = zip::ZipArchive::new(file).map_err(|error| error.to_string())?;
    let mut text = String::new();
    let mut entry = zip.by_index(0).map_err(|error| error.to_string())?;
    entry.read_to_string(&mut text).map_err(|error| error.to_string())?;
    Ok(text.lines().map(str::to_owned).collect())
}
