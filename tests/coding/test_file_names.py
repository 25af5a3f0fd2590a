"""Names that come out of an album: all files come out, on every system, and none elsewhere."""

import tracemalloc
import unicodedata
from pathlib import PurePosixPath, PureWindowsPath

import pytest

from pixelrnn.coding import file_names as names_module
from pixelrnn.coding.file_names import FileNames, is_changed

CASES = {
    "folders are kept": (["2024/9.png", "2024/9.jpg", "9.png"],
                         ["2024/9.png", "2024/9-2.png", "9.png"]),
    "none leads out": (["../a.png", "/etc/passwd", "b/../../c.png", "c:\\x\\d.png", "\\\\host\\e.png"],
                       ["a.png", "etc/passwd.png", "b/c.png", "c_/x/d.png", "host/e.png"]),
    "devices of Windows": (["con.png", "NUL", "com1.tar.png", "lpt9", "aux/x.png", "lpt\u00b9.png",
                            "con .png", "conin$.png", "com.png", "console.png"],
                           ["con_.png", "NUL_.png", "com1_.tar.png", "lpt9_.png", "aux_/x.png",
                            "lpt\u00b9_.png", "con_-2.png", "conin$_.png", "com.png", "console.png"]),
    "points and spaces at the end": (["a. .png", "b /c.png", "d./e.png", " f.png"],
                                     ["a.png", "b/c.png", "d/e.png", "f.png"]),
    "letters that Windows has not": (["a:b.png", 'x<y>z"|?*.png'], ["a_b.png", "x_y_z____.png"]),
    "nothing that hides or commands": ([".profile", "a\x1b[31m.png", "x\u202egnp.exe", "\0/n\n.png"],
                                       ["profile.png", "a[31m.png", "xgnp.png", "n.png"]),
    "told apart by case only": (["A.png", "a.png", "X/1.png", "x/1.png"],
                                ["A.png", "a-2.png", "X/1.png", "x/1-2.png"]),
    "by accents in one or two parts": (["e\u0301.png", "\u00e9.png"],
                                       ["\u00e9.png", "\u00e9-2.png"]),
    "by more than lower case": (["stra\u00dfe.png", "STRASSE.png"],
                                ["stra\u00dfe.png", "STRASSE-2.png"]),
    "a file called like a folder": (["x.png/1.png", "x.png"], ["x.png/1.png", "x-2.png"]),
    "and before it": (["x.png", "x.png/1.png"], ["x-2.png", "x.png/1.png"]),
    "names of numbers": (["a.png", "a-2.png", "a.png", "a.png"],
                         ["a.png", "a-2.png", "a-3.png", "a-4.png"]),
    "nothing": (["", "..", "...", "/", "a/.png", "a/"], ["0.png", "1.png", "2.png", "3.png",
                                                         "a/png.png", "5.png"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_names(case):
    given, expected = CASES[case]
    found = list(FileNames(given))
    assert found == expected
    for name in found:
        for path in (PurePosixPath(name), PureWindowsPath(name)):
            assert not path.is_absolute()
            assert not path.drive
            assert ".." not in path.parts
        assert name.isprintable()
    keys = [unicodedata.normalize("NFD", name).casefold() for name in found]
    assert len(set(keys)) == len(given)


def test_parts_are_never_too_long():
    (name,) = FileNames(["f" * 500 + "/" + "é" * 400 + ".png"])
    assert [len(part.encode()) for part in name.split("/")] == [200, 204]
    (name,) = FileNames(["/".join("abcdefgh" * 60)])
    assert name.count("/") == 32


def test_many_equal_names_take_no_work_of_their_own(monkeypatch):
    """Numbers go on from the last one: from the first, names would be tried half a million times."""
    tried = []
    real = names_module._key
    monkeypatch.setattr(names_module, "_key", lambda path: (tried.append(path), real(path))[1])
    assert len(set(FileNames(["cat.png"] * 1000))) == 1000
    assert len(tried) < 6000


@pytest.mark.parametrize(
    ("name", "file", "changed"),
    [
        ("a.png", "a.png", False),
        ("a/b.jpg", "a/b.png", False),
        ("a", "a.png", False),
        ("", "7.png", False),
        ("a.png", "a-2.png", True),
        ("e\u0301.png", "\u00e9.png", True),
        ("../a.png", "a.png", True),
    ],
)
def test_what_counts_as_changed(name, file, changed):
    assert is_changed(name, file) is changed


def test_folders_and_equal_names_keep_nothing_of_each_image():
    """A stranger's names, each in folders of its own, would fill the memory as text."""
    given = [f"{n:05}/" + "/".join(f"{n}{k:025}" for k in range(30)) + "/x" for n in range(2000)]
    given += ["same"] * 2000
    names_module._safe.cache_clear()
    tracemalloc.start()
    found = FileNames(given)
    kept, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found[-1] == "same-2000.png"
    assert most < 8_000_000  # all folders have 28 million letters
    assert len(set(found)) == len(given)
    assert kept < 2_000_000


def test_an_image_in_a_folder_of_its_own_name_and_numbers_that_are_taken():
    given = ["a-2", "a", "a", "a-3.png/x", "A", "a-2", ""]
    assert list(FileNames(given)) == [
        *("a-2.png", "a.png", "a-4.png", "a-3.png/x.png", "A-5.png", "a-2-2.png", "6.png"),
    ]  # fmt: skip
