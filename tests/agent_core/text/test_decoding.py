"""Decoding of text files in common encodings; binary files are not taken for text."""

from __future__ import annotations

import codecs
import os
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_core.text.decoding import decode_text

SAMPLES = [
    ("cp1250", "Zażółć gęślą jaźń. Proszę o przesłanie faktury w terminie do końca miesiąca.\n"),
    ("cp1250", "Příliš žluťoučký kůň úpěl ďábelské ódy. Děkuji za rychlou odpověď.\n"),
    ("cp1250", "Jó napot kívánok! Kérem, küldje el a számlát a hónap végéig. Köszönöm.\n"),
    ("cp1251", "Добрый день! Прошу выслать счёт за услуги до конца месяца. Спасибо.\n"),
    ("cp1251", "Доброго дня! Прошу надіслати рахунок за послуги до кінця місяця. Дякую.\n"),
    ("koi8-r", "Добрый день! Прошу выслать счёт за услуги до конца месяца. Спасибо.\n"),
    ("cp1252", "Die Übergabe der Schlüssel erfolgt am Montag – bitte rechtzeitig da sein. Grüße\n"),
    ("cp1252", "Voilà le résumé de l’été : les élèves étaient très motivés à l’école.\n"),
    ("cp1252", "El niño comió piñas en la montaña. ¿Cuándo llegará mañana el autobús?\n"),
    ("cp1252", "Perché non è più così? La città è già là, però c’è un caffè.\n"),
    ("cp1252", "Não há informações sobre a situação; amanhã talvez.\n"),
    ("cp1252", "Förra året åt vi räksmörgås på ön. Hälsningar, Åsa\n"),
    ("cp1252", "name;city\nJürgen;Köln\n"),
    ("cp1252", "Kaffee 3,50 €\n"),
    ("cp1252", "He said “hello” – and left. It’s fine…\n"),
    ("cp1252", "Temp: 21 °C ± 2, £40\n"),
    ("cp1253", "Καλημέρα! Παρακαλώ στείλτε το τιμολόγιο μέχρι το τέλος του μήνα.\n"),
    ("cp1254", "Günaydın! Lütfen faturayı ay sonuna kadar gönderin. Teşekkürler, Şükrü.\n"),
    ("cp1255", "שלום! נא לשלוח את החשבונית עד סוף החודש. תודה רבה.\n"),
    ("cp1256", "مرحبا! يرجى إرسال الفاتورة قبل نهاية الشهر. شكرا جزيلا.\n"),
    ("gbk", "您好！请在月底之前把服务的发票发给我。谢谢。\n"),
    ("gb18030", "姓名,城市\n张伟,北京\n王芳,上海\n"),
    ("big5", "您好！請在月底之前把服務的發票寄給我。謝謝。\n"),
    ("shift_jis", "お世話になっております。月末までに請求書をお送りください。\n"),
    ("shift_jis", "名前,都市\n田中,東京\n鈴木,大阪\n"),
    ("euc_jp", "お世話になっております。月末までに請求書をお送りください。\n"),
    ("iso2022_jp", "お世話になっております。\n"),
    ("euc_kr", "안녕하세요. 이달 말까지 청구서를 보내 주시기 바랍니다. 감사합니다.\n"),
    ("mac_roman", "Die Straße führt übers Land; „Schön“, sagte der Müller – Käse kostet 5 Mark.\n"),
    ("mac_roman", "Le garçon a mangé une crêpe à l’école, où il était très heureux.\n"),
    ("mac_cyrillic", "Привет, мир! Сегодня хорошая погода, и мы пойдём гулять в парк.\n"),
    ("cp437", "Le garçon a mangé une crêpe à l'école, il était très heureux. Noël approche déjà.\n"),
    ("cp866", "Привет, мир! Сегодня хорошая погода, и мы пойдем гулять в парк.\n"),
    ("iso8859_2", "Zażółć gęślą jaźń. Dziękuję, że przyszedłeś. Źdźbło trawy.\n"),
    ("iso8859_5", "Привет, мир! Сегодня хорошая погода, и мы пойдем гулять в парк.\n"),
    ("iso2022_kr", "안녕하세요. 이달 말까지 청구서를 보내 주시기 바랍니다.\n"),
    ("utf-16-le", "Plain English without a mark.\r\nSecond line.\r\n"),
    ("utf-16-be", "Käse kostet 5 €;\tÄpfel 3 €\n"),
    ("utf-16-le", "您好！请在月底之前把服务的发票发给我。\n"),
    ("utf-16-le", "مرحبا! 😀\n"),
    ("utf-32-be", "Plain English without a mark.\n"),
    ("utf-16", "héllo wörld, 東京\n"),
    ("utf-32", "héllo wörld, 東京\n"),
    ("utf-8-sig", "héllo wörld, 東京\n"),
    ("utf-8", "héllo wörld, 東京 \U0001f600\n"),
]


@pytest.mark.parametrize(("encoding", "text"), SAMPLES)
def test_decode_text_reads_a_sentence_in_each_encoding(encoding: str, text: str) -> None:
    assert decode_text(text.encode(encoding)) == text
    if not encoding.startswith("utf-"):
        assert decode_text(text.encode(encoding) * 40) == text * 40


@pytest.mark.parametrize("mark", [codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE])
def test_byte_order_mark_decides_and_is_left_out(mark: bytes) -> None:
    encoding = "utf-16-be" if mark == codecs.BOM_UTF16_BE else "utf-16-le"
    assert decode_text(mark + "naïve".encode(encoding)) == "naïve"


def test_named_charset_decides_where_the_bytes_fit_it() -> None:
    assert decode_text("北京".encode("gbk"), "gbk") == "北京"
    assert decode_text("北京".encode(), "us-ascii") == "北京"
    assert decode_text("北京".encode(), "no-such-charset") == "北京"


@pytest.mark.parametrize(
    "data",
    [
        ("Le café est prêt, à côté du gâteau. " * 40 + "\x01 Voilà l'été.").encode("cp1252"),
        b"PK\x03\x04" + zlib.compress(b"words " * 500),
        b"\x7fELF" + bytes(range(256)),
        b"ID3\x03" + bytes(range(255, 0, -1)) * 9,
        b"\0\1",
        b"".join(number.to_bytes(2, "little") for number in range(3000)),
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + bytes(2000),
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(300),
        b"caf\xe9\x01\x02",
        codecs.BOM_UTF16_LE + b"\x00\xd8x",  # half a surrogate pair
        os.urandom(4000),
    ],
    ids=[
        "western-controls",
        "zip",
        "elf",
        "mp3",
        "nul",
        "numbers",
        "wav",
        "heic",
        "controls",
        "broken-utf16",
        "random",
    ],
)
def test_decode_text_refuses_what_is_no_text(data: bytes) -> None:
    assert decode_text(data) is None


@given(st.binary(max_size=300))
def test_decode_text_never_raises(data: bytes) -> None:
    text = decode_text(data)
    assert text is None or isinstance(text, str)


@given(st.text())
def test_decode_text_keeps_utf_8(text: str) -> None:
    if "\0" not in text and not text.startswith("\ufeff"):
        data = text.encode("utf-8", "ignore")
        assert decode_text(data) == data.decode()
