"""Small column files of every form people have: what each is read as, or the refusal that names what would read it."""

import io
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from cs224d_l3.text import ColumnFile, Sentence, read_columns

# form, content, options, and the words as word=tag, ␣ a blank in a word, / between sentences; or, behind !, the
# refusal, a part of which stands behind each ~
READ: list[tuple[str, str | bytes, dict[str, Any], str]] = [
    ("two columns", "a O\nb B-X\n\nc O\n", {}, "a=O b=B-X / c=O"),
    ("tabs", "a\tO\nb\tB-X\n", {}, "a=O b=B-X"),
    ("several blanks", "a   O\n  b B-X\n", {}, "a=O b=B-X"),
    ("four columns, IOB1", "EU NNP I-NP I-ORG\nhi UH O O\n", {}, "EU=B-ORG hi=O"),
    ("neighbours in IOB1", "a I-X\nb B-X\nc I-X\n", {}, "a=B-X b=B-X c=I-X"),
    ("no empty line at the end", "a O\n\nb B-X", {}, "a=O / b=B-X"),
    ("empty lines with blanks", "a O\n \nb B-X\n\t\n\n", {}, "a=O / b=B-X"),
    # words
    ("no-break space", "a\u00a0b O\nc B-X\n", {}, "a\u00a0b=O c=B-X"),
    ("no-break space, tabs", "a\u00a0b\tO\nc\tB-X\n", {}, "a\u00a0b=O c=B-X"),
    ("ideographic space", "\u3000 O\n日\u3000本 B-X\n", {}, "\u3000=O 日\u3000本=B-X"),
    ("next line", "a\u0085 O\n\u0085 B-X\n", {}, "a\u0085=O \u0085=B-X"),
    ("line separator", "\u2028 O\na\u2028b B-X\n", {}, "\u2028=O a\u2028b=B-X"),
    ("paragraph separator", "\u2029\tO\nb\tB-X\n", {}, "\u2029=O b=B-X"),
    ("form feed, vertical tab", "a\fb O\n\v B-X\n", {}, "a\fb=O \v=B-X"),
    ("thin and zero-width spaces", "a\u2009b O\n\u200b B-X\n", {}, "a\u2009b=O \u200b=B-X"),
    ("file separators", "a\x1cb O\n\x1e B-X\n", {}, "a\x1cb=O \x1e=B-X"),
    ("blank in a word", "New York\tB-X\n3 1/2\tO\n", {}, "New␣York=B-X 3␣1/2=O"),
    ("blank in a middle column", "a\tx y\tB-X\n", {}, "a=B-X"),
    ("Chinese", "北 B-LOC\n京 I-LOC\n。 O\n", {}, "北=B-LOC 京=I-LOC 。=O"),
    ("Arabic", "في\tO\nالقاهرة\tB-LOC\n", {}, "في=O القاهرة=B-LOC"),
    ("emoji with joiners", "👩\u200d🔬 O\n🇨🇭 B-X\n", {}, "👩\u200d🔬=O 🇨🇭=B-X"),
    ("quotes", '" O\n\' O\n"a" B-X\n', {}, "\"=O '=O \"a\"=B-X"),
    # what stands between sentences
    ("-DOCSTART- of 2003", "-DOCSTART- -X- O O\n\na NN O B-X\n", {}, "a=B-X"),
    ("-DOCSTART- of 2002", "-DOCSTART- -DOCSTART- O\na N O\n", {}, "a=O"),
    ("-DOCSTART- alone", "-DOCSTART-\na O\n-DOCSTART-\nb B-X\n", {}, "a=O / b=B-X"),
    ("-DOCSTART- with a tab, small", "-docstart-\tO\n\na\tB-X\n", {}, "a=B-X"),
    ("-DOCSTART- numbered", "1\t-DOCSTART-\tO\n\n1\ta\tB-X\n", {}, "a=B-X"),
    ("-DOCSTART- with a number behind", "-DOCSTART- (1 maths)\n\na B-X\n", {}, "a=B-X"),
    # comments
    ("MultiCoNER", "# id 1f\tdomain=en\na _ _ O\nb _ _ B-X\n\n", {}, "a=O b=B-X"),
    ("MultiCoNER with as many fields", "# id 1f domain=en\na _ _ O\nb _ _ B-X\n\n", {}, "a=O b=B-X"),
    ("MultiCoNER in two columns", "# id 1f\tdomain=en\na\tO\nb\tB-X\n\n", {}, "a=O b=B-X"),
    ("comments with the fields of words", "# newdoc\na O\n\n# newpar\nb B-X\n", {}, "a=O / b=B-X"),
    ("# as a word", "# O\n5 B-X\n\na O\n# O\n", {}, "#=O 5=B-X / a=O #=O"),
    ("# as a word, parts of speech", "# SYM\n5 NUM\n", {}, "#=SYM 5=NUM"),
    ("# tagged #", "a NN\n\n# #\n5 CD\n", {}, "a=NN / #=# 5=CD"),
    ("hashtags", "#ner B-X\n\n#b O\na O\n", {}, "#ner=B-X / #b=O a=O"),
    ("a comment and # as a word", "# text = # 5\n# O\n5 B-X\n", {}, "#=O 5=B-X"),
    ("comment and empty line", "# made by hand\n\na O\nb B-X\n", {}, "a=O b=B-X"),
    ("comments in a tab-separated file", "# a b\n# c\na\tN\n\n# d e f\nb\tV\n", {}, "a=N / b=V"),
    ("comment in a sentence", "a O\n# b c\n", {}, "!file:2: ~as in line 1~got 3: '# b c'~start of a sentence"),
    ("CoNLL-2012's comments", "#begin document (a); part 000\na O\nb B-X\n\n#end document\n", {}, "a=O b=B-X"),
    # columns
    ("CoNLL-U", "# text = im Haus\n1-2\tim\t_\t_\t_\t_\t_\t_\t_\t_\n1\tin\tin\tADP\t_\t_\t_\t_\t_\tA=b\n"
     "2\tdem\tder\tDET\t_\t_\t_\t_\t_\t_\n2.1\t_\t_\tX\t_\t_\t_\t_\t_\t_\n3\tHaus\tHaus\tNOUN\t_\t_\t_\t_\t_\t_\n", {},
     "in=ADP dem=DET Haus=NOUN"),
    ("CoNLL-U, entities last", "1\ta\t_\tX\t_\t_\t_\t_\t_\tO\n2\tb\t_\tX\t_\t_\t_\t_\t_\tB-X\n", {}, "a=O b=B-X"),
    ("CoNLL-U, column chosen", "1\ta\t_\tX\tNN\t_\t_\t_\t_\t_\n", {"tag_column": 5}, "a=NN"),
    ("CoNLL-U without tags", "1\ta\t_\t_\t_\t_\t_\t_\t_\t_\n", {}, "!file: ~column 4 of 10~'_'~--tag-column"),
    ("numbers in three columns", "1 a O\n2 b B-X\n\n1 c O\n", {}, "a=O b=B-X / c=O"),
    ("numbers with a full stop", "1. a O\n2. b B-X\n", {}, "a=O b=B-X"),
    ("numbers from 0", "0 a O\n1 b B-X\n\n0 c O\n", {}, "a=O b=B-X / c=O"),
    ("numbers through the file", "1 a O\n2 b B-X\n\n3 c O\n", {}, "a=O b=B-X / c=O"),
    ("numbers of sentences", "1 a O\n1 b B-X\n\n2 c O\n", {}, "!file: ~column 1~numbers~word_column (--word-column)"),
    ("numbers of sentences, chosen", "1 a O\n1 b B-X\n", {"word_column": 2}, "a=O b=B-X"),
    ("numbers as words", "1 CD O\n2 CD O\n", {"word_column": 1}, "1=O 2=O"),
    ("numbers, two columns, no tags", "1 a\n2 b\n\n1 c\n", {}, "!file: ~two columns~--word-column, --tag-column"),
    ("number words in two columns", "1 CD\n2 CD\nx NN\n", {}, "1=CD 2=CD x=NN"),
    ("tag first", "B-X a\nO b\n", {}, "!file: ~column 1, got tags~--word-column, --tag-column"),
    ("tag first, chosen", "B-X a\nO b\n", {"word_column": 2, "tag_column": 1}, "a=B-X b=O"),
    ("columns from the end", "x a B-X y\nx b O y\n", {"word_column": -3, "tag_column": -2}, "a=B-X b=O"),
    ("GermEval", "#\thttp://x [2009]\t\n1\tUni\tB-ORG\tO\n2\tBonn\tI-ORG\tB-LOC\n", {}, "Uni=B-ORG Bonn=I-ORG"),
    ("GermEval, inner", "1\tUni\tB-ORG\tO\n2\tBonn\tI-ORG\tB-LOC\n", {"tag_column": 4}, "Uni=O Bonn=B-LOC"),
    ("GermEval without numbers", "Uni\tB-ORG\tO\nBonn\tI-ORG\tB-ORG\n", {}, "Uni=B-ORG Bonn=I-ORG"),
    ("chunks, numbered", "1 EU I-NP I-ORG\n2 hi O O\n", {}, "EU=B-ORG hi=O"),
    ("one column", "a\nb\n", {}, "!file:1: ~2 columns or more~got 1: 'a'"),
    ("a column missing", "a N O\nb N\n", {}, "!file:2: ~3 columns, as in line 1~got 2: 'b N'"),
    ("a column too many", "\na O\nb x O\n", {}, "!file:3: ~2 columns, as in line 2~got 3: 'b x O'"),
    ("trailing blanks and tabs", "a O \nb B-X\t\nc O \t \n", {}, "a=O b=B-X c=O"),
    ("trailing tabs", "a\tO\t\nb\tB-X\t\t\n", {}, "a=O b=B-X"),
    ("blanks about tabs", "a \t O\nb\t B-X \t\n", {}, "a=O b=B-X"),
    ("empty tag", "a\tO\nb\t\n", {}, "!file:2: ~tag in column 2, got none: 'b\\t'"),
    ("empty tag of a word with a blank", "a\tO\nb c\t\n", {}, "!file:2: ~tag in column 2"),
    ("empty word", "a\tO\n\tB-X\n", {}, "!file:2: ~word in column 1"),
    ("empty column between", "a\t\tO\nb\tN\tB-X\n", {}, "a=O b=B-X"),
    ("no such column", "a N O\n", {"tag_column": 4}, "!file: ~tag_column (--tag-column)~1 to 3~got 4"),
    ("column 0", "a N O\n", {"word_column": 0}, "!file: ~word_column (--word-column)~got 0"),
    ("one column for both", "a N O\n", {"word_column": 3}, "!file: ~got 3 for both~--tag-column"),
    ("kaggle's commas", "Sentence #,Word,POS,Tag\nSentence: 1,Of,IN,O\n,a,NN,O\n", {}, "!file:3: ~got 1~commas do not"),
    ("commas, one field", "a,O\n", {}, "!file:1: ~got 1: 'a,O'~commas do not"),
    ("commas, two fields", "Sentence: 1,a,O\nSentence: 1,b,O\n", {}, "!file: ~column 2~commas do not"),
    ("semicolons", "a;O\n", {}, "!file:1: ~tabs or blanks"),
    ("a comma as a word", ", ,\nand CC\n", {}, ",=, and=CC"),
    ("nothing", "", {}, "!file: ~no sentence"),
    ("empty lines", "\n \n\n", {}, "!file: ~no sentence"),
    ("a document without words", "-DOCSTART- O\n\n", {}, "!file: ~no sentence"),
    # schemes
    ("IOBES", "a B-X\nb I-X\nc E-X\nd S-Y\ne O\n", {}, "a=B-X b=I-X c=I-X d=B-Y e=O"),
    ("BILOU", "a B-X\nb I-X\nc L-X\nd U-X\ne O\n", {}, "a=B-X b=I-X c=I-X d=B-X e=O"),
    ("BMES", "a B-X\nb M-X\nc E-X\nd S-X\ne O\n", {}, "a=B-X b=I-X c=I-X d=B-X e=O"),
    ("BMEWO", "a B-X\nb E-X\nc W-X\nd O\n", {}, "a=B-X b=I-X c=B-X d=O"),
    ("IOE", "a I-X\nb E-X\nc I-X\nd E-X\n", {}, "a=B-X b=I-X c=B-X d=I-X"),
    ("IOBES, neighbours", "a S-X\nb S-X\nc B-X\nd E-X\n", {}, "a=B-X b=B-X c=B-X d=I-X"),
    ("untyped", "a B\nb I\nc O\nd B\n", {}, "a=B-ENTITY b=I-ENTITY c=O d=B-ENTITY"),
    ("untyped IOBES", "a S\nb B\nc E\nd O\n", {}, "a=B-ENTITY b=B-ENTITY c=I-ENTITY d=O"),
    ("word segments, BMES without O", "中 B\n国 E\n人 S\n", {}, "中=B-ENTITY 国=I-ENTITY 人=B-ENTITY"),
    ("underscore", "a B_X\nb I_X\nc O\n", {}, "a=B-X b=I-X c=O"),
    ("suffix", "a X-B\nb X-I\nc O\n", {}, "a=B-X b=I-X c=O"),
    ("suffix with underscore", "a X_B\nb X_I\nc O\n", {}, "a=B-X b=I-X c=O"),
    ("colon, slash, bar", "a B:X\nb I:X\n", {}, "a=B-X b=I-X"),
    ("slash", "a B/X\nb I/X\n", {}, "a=B-X b=I-X"),
    ("small letters", "a b-per\nb i-per\nc o\n", {}, "a=B-per b=I-per c=O"),
    ("hyphens in types", "a B-X-y\nb I-X-y\nc B-X_z\n", {}, "a=B-X-y b=I-X-y c=B-X_z"),
    ("plain", "a PER\nb O\n", {}, "a=PER b=O"),
    ("parts of speech", "a DT\nb NN\n. .\n", {}, "a=DT b=NN .=."),
    ("a stray plain tag", "a B-X\nb I-X\nc X\n", {}, "!file:3: ~O, B-..., I-...~'X'~scheme (--file-scheme)"),
    ("a header line", "word\ttag\na\tB-X\nb\tO\nc\tI-X\n", {}, "!file:1: ~B-...~'tag'"),
    ("0 for O", "a B-X\nb 0\nc I-X\n", {}, "!file:2: ~O, B-...~'0'"),
    ("a stray entity", "a DT\nb NN\nc B-X\n", {}, "!file:3: ~'B-X'~--file-scheme"),
    ("all as they are", "a DT\nb NN\nc B-X\n", {"scheme": "plain"}, "a=DT b=NN c=B-X"),
    ("plain tags that look like entities", "a B-X\nb E-Y\n", {"scheme": "plain"}, "a=B-X b=E-Y"),
    ("another scheme than was said", "a B-X\nb E-X\n", {"scheme": "IOB2"}, "!file:2: ~O, B-..., I-...~'E-X'"),
    ("an unknown scheme", "a O\n", {"scheme": "BIOES"}, "!~scheme must be one of~'BIOES'"),
    ("brackets of CoNLL-2012", "a (PER*\nb *)\nc *\n", {}, "!file:1: ~B-PER, I-PER~'(PER*'"),
    ("no tags", "a _\nb _\n", {}, "!file: ~column 2 of 2~'_' only~--tag-column"),
    ("more tags than can be", "".join(f"a {i}\n" for i in range(2**15)), {}, "!file: ~32,767~--tag-column"),
    # bytes
    ("latin-1", "é O\nb B-X\n".encode("latin-1"), {}, "!file:1: ~UTF-8~0xe9~encoding (--encoding)~latin-1"),
    ("latin-1, said", "é O\nb B-X\n".encode("latin-1"), {"encoding": "latin-1"}, "é=O b=B-X"),
    ("cp1252", "“ O\nb B-X\n".encode("cp1252"), {"encoding": "cp1252"}, "“=O b=B-X"),
    ("latin-1 later on", b"a O\n\nb\xe9 O\n", {}, "!file:3: ~0xe9~--encoding"),
    ("GB 18030", "北 B-X\n京 I-X\n".encode("gb18030"), {"encoding": "gb18030"}, "北=B-X 京=I-X"),
    ("UTF-16 with its mark", "é O\n日 B-X\n".encode("utf-16"), {}, "é=O 日=B-X"),
    ("big-endian", "\ufeffé O\n日 B-X\n".encode("utf-16-be"), {}, "é=O 日=B-X"),
    ("UTF-16 without a mark", "a O\n".encode("utf-16-le"), {}, "!file:1: ~0x00~--encoding~utf-16-le"),
    ("big-endian without a mark", "a O\n".encode("utf-16-be"), {}, "!file:1: ~0x00~utf-16-be"),
    ("UTF-16, said", "a O\n".encode("utf-16-le"), {"encoding": "utf-16-le"}, "a=O"),
    ("UTF-16 cut short", "a O\nb O".encode("utf-16")[:-1], {}, "!file:2: ~UTF-16"),
    ("UTF-16 by its mark alone", b"\xff\xfea O\n\xd8", {}, "!file:1: ~UTF-16~byte order mark~not UTF-8"),
    ("UTF-32", "a O\n".encode("utf-32"), {}, "a=O"),
    ("UTF-8 with its mark", "\ufeffa O\nb B-X\n", {}, "a=O b=B-X"),
    ("mark against what was said", "\ufeffé O\n", {"encoding": "latin-1"}, "é=O"),
    ("files put together", "a O\n\n\ufeffb B-X\n", {}, "a=O / b=B-X"),
    ("NUL", b"a O\nb\0 O\n", {}, "!file:2: ~0x00"),
    ("no encoding of text", "a O\n", {"encoding": "zip"}, "!~encoding~'latin-1'~'zip'"),
    ("lone carriage returns", "a O\rb B-X\r\rc O\r", {}, "a=O b=B-X / c=O"),
    ("carriage return and newline", "a O\r\nb B-X\r\n\r\nc O\r\n", {}, "a=O b=B-X / c=O"),
    ("all three", "a O\rb B-X\r\n\nc O\n\rd O", {}, "a=O b=B-X / c=O / d=O"),
]  # fmt: skip


def expected_sentences(text: str) -> list[Sentence]:
    sentences = [[word.rsplit("=", 1) for word in sentence.split(" ")] for sentence in text.split(" / ")]
    return [Sentence([w.replace("␣", " ") for w, _ in s], [t for _, t in s]) for s in sentences]


@pytest.mark.parametrize(
    ("content", "options", "expected"), [case[1:] for case in READ], ids=[case[0] for case in READ]
)
def test_a_form_is_read_or_refused(
    tmp_path: Path, content: str | bytes, options: dict[str, Any], expected: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    if not expected.startswith("!"):
        assert read_columns(path, **options) == expected_sentences(expected)
        assert read_columns(io.BytesIO(path.read_bytes()), **options) == expected_sentences(expected)
        return
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - its text is compared below
        read_columns(path, **options)
    message = str(refusal.value)
    assert "\n" not in message
    at = 0
    for part in expected[1:].split("~"):
        assert part in message[at:], message
        at = message.index(part, at) + len(part)


def test_a_file_says_what_was_understood(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("# id 1\n1\ta\u00a0b\tS-X\n2\tc\tO\n\n# id 2\n1\td\tB-X\n2\te f\tE-X\n", encoding="utf-16")
    file = ColumnFile(path)
    assert str(file) == (
        f"{path}: word in column 2, tag in column 3 of 3, parted by tabs; tags IOBES (B-PER); utf-16;"
        r" 2 comments left out; first sentence: 'a\xa0b'/B-X c/O"
    )
    assert list(file) == list(file)


def test_words_without_tags(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in ("a\nb\n\nc\n", "a X Y\nb X Y\n\nc X Y\n", "1 a\n2 b\n\n1 c\n", "# one\na\nb\n\nc\n"):
        path.write_text(content)
        found = list(ColumnFile(path, tagged=False))
        assert found == [(["a", "b"], ["O", "O"]), (["c"], ["O"])]


def test_a_pipe_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=("a O\nb S-X\n",))
    writer.start()
    assert read_columns(path) == [(["a", "b"], ["O", "B-X"])]
    writer.join()
