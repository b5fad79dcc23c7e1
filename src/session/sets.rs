//! The open images as sets: which folder makes a set, whether it is in- or out-of-distribution, and
//! the scores of each.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::entry::{Entry, SetName};
use super::saved_path::SavedPath;
use crate::bundle::vocabulary::Class;
use crate::score::verdict::Outcome;
use crate::worker::ImageSource;

/// What the images of a set are in truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// In-distribution: they show classes that the model knows.
    Id,
    /// Out-of-distribution.
    Ood,
    /// Not told: they take no part in curves and tables.
    Unused,
}

impl Role {
    /// Every role, with the word for it.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Id, "ID"), (Self::Ood, "OOD"), (Self::Unused, "unused")];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Id => "ID",
            Self::Ood => "OOD",
            Self::Unused => "unused",
        }
    }

    /// The verdict that would be right.
    pub fn truth(self) -> Option<Outcome> {
        match self {
            Self::Id => Some(Outcome::Id),
            Self::Ood => Some(Outcome::Ood),
            Self::Unused => None,
        }
    }

    /// What a folder's name says, in words such as `id`, `near-ood` or `far`.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        let mut words = name.split(|c: char| !c.is_alphanumeric());
        words.find_map(|word| match word {
            "id" | "ind" | "indistribution" => Some(Self::Id),
            "ood" | "near" | "far" | "outdistribution" => Some(Self::Ood),
            "mask" | "masks" => Some(Self::Unused),
            _ => None,
        })
    }
}

/// What tells a set from all others, whatever it is called on show: its folder; none for images that
/// are not files.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SetId(SavedPath);

impl SetId {
    /// The set whose folder this is.
    pub fn of_folder(folder: &Path) -> Self {
        Self(folder.to_owned().into())
    }
}

/// A set of open images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSet {
    /// Its folder's name, with the folder above it where two are called the same; empty for images
    /// that are not files.
    pub name: String,
    /// The folder; `None` for images that are not files.
    pub folder: Option<PathBuf>,
    /// What its images are: the user's word, or what folders tell.
    pub role: Role,
}

impl ImageSet {
    /// What tells it from all others.
    pub fn id(&self) -> SetId {
        self.folder.as_deref().map(SetId::of_folder).unwrap_or_default()
    }

    /// What to call it on show.
    pub fn title(&self) -> &str {
        if self.name.is_empty() { "Pasted" } else { &self.name }
    }
}

/// The folders that hold images, each once: many images share one.
#[derive(Debug, Default)]
pub struct Folders {
    paths: Vec<PathBuf>,
    places: HashMap<PathBuf, usize>,
    /// The folder of the image that came last.
    last: Option<usize>,
}

impl Folders {
    /// The place of the folder that an image's file lies in; `None` for images that are not files.
    pub(super) fn of(&mut self, source: &ImageSource) -> Option<usize> {
        let ImageSource::File(path) = source else { return None };
        let parent = path.parent()?;
        // Images of a folder come one after another, and strings are compared faster than paths.
        let is_last = |at: &usize| self.paths[*at].as_os_str() == parent.as_os_str();
        if let Some(last) = self.last.filter(is_last) {
            return Some(last);
        }
        let at = match self.places.get(parent) {
            Some(&at) => at,
            None => {
                self.places.insert(parent.to_owned(), self.paths.len());
                self.paths.push(parent.to_owned());
                self.paths.len() - 1
            }
        };
        self.last = Some(at);
        Some(at)
    }

    /// A folder by its place.
    pub(super) fn path(&self, at: usize) -> Option<&PathBuf> {
        self.paths.get(at)
    }

    /// The folders of some images in the order of their first ones, and how many images each folder
    /// holds, those without a folder last.
    fn in_use(&self, entries: &[Entry]) -> (Vec<Option<usize>>, Vec<usize>) {
        let (mut order, mut counts) = (Vec::new(), vec![0; self.paths.len() + 1]);
        for entry in entries {
            let count = &mut counts[entry.folder.unwrap_or(self.paths.len())];
            if *count == 0 {
                order.push(entry.folder);
            }
            *count += 1;
        }
        (order, counts)
    }
}

/// The classes of a model by their names, as folders may be called.
#[derive(Debug, Default)]
pub(super) struct ClassNames(HashMap<String, usize>);

impl ClassNames {
    /// Of a model's classes.
    pub(super) fn of(classes: &[Class]) -> Self {
        Self(classes.iter().enumerate().map(|(at, class)| (plain(&class.name), at)).collect())
    }

    fn get(&self, folder: &str) -> Option<usize> {
        self.0.get(&plain(folder)).copied()
    }

    /// The class that a folder below the set's is called after, the innermost first.
    fn of_folder(&self, folder: &Path, set: &Path) -> Option<usize> {
        let inside = folder.ancestors().take_while(|folder| *folder != set);
        inside.filter_map(Path::file_name).find_map(|name| self.get(&name.to_string_lossy()))
    }
}

/// Puts every image into its set, and finds its class; roles that the user chose stay. The work goes
/// by folders: for each image there is a look-up and no more. The sets, and the opened folders that
/// are used.
pub(super) fn group(
    entries: &mut [Entry],
    folders: &Folders,
    roots: &BTreeSet<PathBuf>,
    roles: &BTreeMap<SetId, Role>,
    classes: &ClassNames,
) -> (Vec<ImageSet>, BTreeSet<PathBuf>) {
    let (order, counts) = folders.in_use(entries);
    let parents: BTreeSet<&Path> =
        order.iter().filter_map(|&at| Some(folders.paths.get(at?)?.as_path())).collect();
    let is_class = |name: &str| classes.get(name).is_some();
    let (set_of, used) = set_folders(&parents, roots, &is_class);
    // Each folder's place among the sets and its class; the last is for images without one.
    let without = folders.paths.len();
    let mut place_of = vec![(0, None); without + 1];
    let mut places: Vec<Option<&Path>> = Vec::new();
    let mut members: Vec<(usize, usize)> = Vec::new();
    for &folder in &order {
        let parent = folder.and_then(|at| folders.paths.get(at)).map(PathBuf::as_path);
        let set = parent.and_then(|parent| set_of.get(parent)).map(PathBuf::as_path);
        let class = parent.zip(set).and_then(|(parent, set)| classes.of_folder(parent, set));
        let at = places.iter().position(|place| *place == set).unwrap_or_else(|| {
            places.push(set);
            members.push((0, 0));
            places.len() - 1
        });
        let slot = folder.unwrap_or(without);
        place_of[slot] = (at, class);
        members[at].0 += counts[slot];
        members[at].1 += if class.is_some() { counts[slot] } else { 0 };
    }
    let set = |((name, folder), (images, known)): ((String, &Option<&Path>), _)| {
        let folder = folder.map(Path::to_path_buf);
        let set = ImageSet { role: told_role(folder.as_deref(), images, known), name, folder };
        ImageSet { role: roles.get(&set.id()).copied().unwrap_or(set.role), ..set }
    };
    let names = set_names(&places).into_iter().zip(&places);
    let sets: Vec<ImageSet> = names.zip(members).map(set).collect();
    let names: Vec<SetName> = sets.iter().map(|set| SetName::from(set.name.as_str())).collect();
    for entry in entries {
        (entry.set_at, entry.class) = place_of[entry.folder.unwrap_or(without)];
        if !entry.set.is_shared(&names[entry.set_at]) {
            entry.set = names[entry.set_at].clone();
        }
    }
    (sets, used)
}

/// A name as it is compared: folders have underscores where tags have spaces.
fn plain(name: &str) -> String {
    name.replace(['_', '-'], " ").trim().to_lowercase()
}

/// What a folder itself tells of its images: its name says so, or it has a folder for each of the
/// model's classes. Of others nobody has said anything.
fn told_role(folder: Option<&Path>, images: usize, of_known_class: usize) -> Role {
    let Some(name) = folder.and_then(Path::file_name) else { return Role::Unused };
    let is_labelled = of_known_class > 0 && of_known_class * 2 >= images;
    let by_classes = if is_labelled { Role::Id } else { Role::Unused };
    Role::from_name(&name.to_string_lossy()).unwrap_or(by_classes)
}

/// How the images below an opened folder fall into sets.
#[derive(Default)]
struct Below {
    /// The folders directly in it that lead to images.
    first: BTreeSet<String>,
    /// Whether images lie deeper than those folders.
    deep: bool,
}

impl Below {
    /// Whether each folder directly in `root` is a set of its own: it is called like one, or there
    /// are several with class folders inside. Otherwise they are classes of one set.
    fn is_split(&self, root: &Path, is_class: &impl Fn(&str) -> bool) -> bool {
        let has_role = |name: &str| Role::from_name(name).is_some();
        if self.first.iter().any(|name| is_class(name)) {
            return false;
        }
        let named = self.first.iter().any(|name| has_role(name));
        let root_has_role = root.file_name().is_some_and(|name| has_role(&name.to_string_lossy()));
        named || (self.deep && self.first.len() > 1 && !root_has_role)
    }
}

/// The set's folder of every folder that holds images itself, and the opened folders that are used.
fn set_folders<'a>(
    parents: &BTreeSet<&'a Path>,
    roots: &BTreeSet<PathBuf>,
    is_class: &impl Fn(&str) -> bool,
) -> (BTreeMap<&'a Path, PathBuf>, BTreeSet<PathBuf>) {
    let name_of = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut below: BTreeMap<&Path, Below> = BTreeMap::new();
    let mut rooted = Vec::with_capacity(parents.len());
    for &parent in parents {
        let root = parent.ancestors().find(|folder| roots.contains(*folder));
        let inside = root.and_then(|root| parent.strip_prefix(root).ok());
        let first = inside.and_then(|inside| inside.components().next());
        let first = first.map(|first| PathBuf::from(first.as_os_str()));
        if let (Some(root), Some(inside)) = (root, inside) {
            let below = below.entry(root).or_default();
            below.first.extend(first.as_deref().and_then(name_of));
            below.deep |= inside.components().count() > 1;
        }
        rooted.push((parent, root, first));
    }
    let used = below.keys().map(|root| root.to_path_buf()).collect();
    let folder = |(parent, root, first): (&'a Path, Option<&Path>, Option<PathBuf>)| {
        let known = |path: &Path| name_of(path).is_some_and(|name| is_class(&name));
        let folder = match (root, first) {
            (Some(root), Some(first)) if below[root].is_split(root, is_class) => root.join(first),
            (Some(root), _) => root.to_owned(),
            // Files opened one by one out of class folders belong together.
            (None, _) if known(parent) => parent.parent().unwrap_or(parent).to_owned(),
            (None, _) => parent.to_owned(),
        };
        (parent, folder)
    };
    (rooted.into_iter().map(folder).collect(), used)
}

/// The folders' names, with the folder above where two are called the same.
fn set_names(folders: &[Option<&Path>]) -> Vec<String> {
    let name = |path: &Path| match path.file_name() {
        Some(name) => name.to_string_lossy().into_owned(),
        None => path.display().to_string(),
    };
    let short: Vec<String> =
        folders.iter().map(|folder| folder.map(name).unwrap_or_default()).collect();
    let unique = |at: usize| short.iter().filter(|other| **other == short[at]).count() == 1;
    let full = |at: usize| match folders[at].and_then(Path::parent) {
        Some(above) if !unique(at) => format!("{}/{}", name(above), short[at]),
        _ => short[at].clone(),
    };
    (0..folders.len()).map(full).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The set's folder of each file.
    fn folders(roots: &[&str], files: &[&str], classes: &[&str]) -> Vec<String> {
        let roots = roots.iter().map(PathBuf::from).collect();
        let parents: BTreeSet<&Path> =
            files.iter().filter_map(|file| Path::new(file).parent()).collect();
        let (folders, _) = set_folders(&parents, &roots, &|name| classes.contains(&name));
        let folder = |file: &&str| folders[Path::new(file).parent().unwrap()].clone();
        files.iter().map(|file| folder(file).display().to_string()).collect()
    }

    #[test]
    fn a_folder_of_class_folders_is_one_set() {
        let files = ["s/id/cat/1.png", "s/id/dog/2.png"];
        assert_eq!(folders(&["s/id"], &files, &["cat"]), ["s/id", "s/id"]);
        // Even where the classes are strange ones.
        assert_eq!(folders(&["s/near"], &["s/near/yeti/1.png"], &["cat"]), ["s/near"]);
        assert_eq!(folders(&["photos"], &["photos/a/1.png", "photos/b/1.png"], &[]), ["photos"; 2]);
    }

    #[test]
    fn a_folder_of_sets_is_many() {
        let files = ["s/id/cat/1.png", "s/near/yeti/2.png", "s/far/3.png"];
        assert_eq!(folders(&["s"], &files, &["cat"]), ["s/id", "s/near", "s/far"]);
        let files = ["d/sun/a/1.png", "d/textures/b/1.png"];
        assert_eq!(folders(&["d"], &files, &["cat"]), ["d/sun", "d/textures"]);
    }

    #[test]
    fn files_opened_singly_go_by_their_folder() {
        let files = ["x/cat/1.png", "x/dog/2.png", "x/holiday/3.png"];
        assert_eq!(folders(&[], &files, &["cat", "dog"]), ["x", "x", "x/holiday"]);
    }

    #[test]
    fn names_tell_sets_apart() {
        let folders = [Some(Path::new("a/test")), Some(Path::new("b/test")), Some(Path::new("c"))];
        assert_eq!(set_names(&folders), ["a/test", "b/test", "c"]);
        assert_eq!(set_names(&[None]), [""]);
    }

    #[test]
    fn names_suggest_roles() {
        for (name, role) in [("id", Role::Id), ("near-ood", Role::Ood), ("far", Role::Ood)] {
            assert_eq!(Role::from_name(name), Some(role), "{name}");
        }
        assert_eq!(Role::from_name("idea"), None);
        let told = |folder, known| told_role(folder, 10, known);
        let val = Some(Path::new("sets/val"));
        assert_eq!((told(val, 9), told(val, 0)), (Role::Id, Role::Unused));
        assert_eq!(told(Some(Path::new("id/near")), 0), Role::Ood);
        assert_eq!((told(None, 0), told(None, 10)), (Role::Unused, Role::Unused));
    }
}
