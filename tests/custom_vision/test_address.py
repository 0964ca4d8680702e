"""What people paste becomes an address, or an error that says what to copy instead."""

import pytest

from datasets.sources.custom_vision.address import Address, may_fetch, understand
from jobs.errors import UserError

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
MICROSOFT = ["cognitiveservices.azure.com", "api.cognitive.microsoft.com"]
REGION = "https://southeastasia.api.cognitive.microsoft.com"


def refusal(endpoint: str, project: str = ID, allowed: list[str] = MICROSOFT) -> str:
    with pytest.raises(UserError) as caught:
        understand(endpoint, project, allowed)
    assert caught.value.message
    return caught.value.code


@pytest.mark.parametrize(
    "pasted",
    [
        REGION,
        f"{REGION}/",
        f" {REGION}\n",
        f'"{REGION}/"',
        REGION.removeprefix("https://"),
        REGION.replace("https", "http"),
        REGION.upper(),
        f"{REGION}:443/",
        f"{REGION}./",
        f"{REGION}/customvision/v3.3/Training/projects/{ID}/images",
        f"{REGION}/customvision/v3.0/Prediction/{ID}/detect/iterations/a/image?x=1#y",
        f"\u200b{REGION}\u200b",
    ],
)
def test_an_endpoint_is_understood_as_it_is_pasted(pasted: str) -> None:
    assert understand(pasted, ID, MICROSOFT) == Address(REGION, ID)


@pytest.mark.parametrize(
    "pasted",
    [
        ID,
        ID.upper(),
        f" {ID} ",
        ID.replace("-", ""),
        f"https://www.customvision.ai/projects/{ID}#/manage",
        f"{{{ID}}}",
    ],
)
def test_a_project_is_understood_as_it_is_pasted(pasted: str) -> None:
    assert understand(REGION, pasted, MICROSOFT).project == ID


def test_an_address_of_the_api_names_the_project_too() -> None:
    full = f"{REGION}/customvision/v3.3/training/projects/{ID}"
    assert understand(full, "", MICROSOFT) == Address(REGION, ID)


def test_the_resource_of_a_customer_is_a_host() -> None:
    found = understand("https://ke-bia.cognitiveservices.azure.com/", ID, MICROSOFT)
    assert found.endpoint == "https://ke-bia.cognitiveservices.azure.com"


@pytest.mark.parametrize(
    "pasted",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://localhost:6379",
        "https://127.0.0.1",
        "https://127.1",
        "https://2130706433",
        "https://0x7f000001",
        "https://[::1]/",
        "https://[::ffff:169.254.169.254]",
        "https://10.0.0.5",
        "https://evil.example",
        "https://api.cognitive.microsoft.com.evil.example",
        "https://evilcognitiveservices.azure.com",
        f"{REGION}@evil.example/",
        f"https://user:password@{REGION.removeprefix('https://')}",
        "https://evil.example\\@southeastasia.api.cognitive.microsoft.com",
        "https://evil.example#.cognitiveservices.azure.com",
        "https://evil.example?.cognitiveservices.azure.com",
        f"{REGION}:6379",
        f"{REGION}:port",
        "ftp://a.cognitiveservices.azure.com",
        "file:///etc/passwd",
        "gopher://a.cognitiveservices.azure.com",
        "javascript:alert(1)",
        "https://",
        "",
        "https://ａ.cognitiveservices.azure.com",
        "https://a_b.cognitiveservices.azure.com",
        "https://a.cognitiveservices.azure.com%00.evil.example",
        "x" * 100_000,
    ],
)
def test_no_other_host_is_called(pasted: str) -> None:
    assert refusal(pasted) in {"custom_vision_endpoint", "custom_vision_host"}


def test_the_address_of_the_portal_gets_its_own_advice() -> None:
    for pasted in ("https://www.customvision.ai/projects", "customvision.ai"):
        assert refusal(pasted) == "custom_vision_portal"


@pytest.mark.parametrize("pasted", ["", "Kệ bia", "0f8fad5b-d9cb", "x" * 100_000])
def test_a_project_without_id_is_refused(pasted: str) -> None:
    assert refusal(REGION, pasted) == "custom_vision_project_id"


def test_loopback_has_to_be_listed_by_name() -> None:
    assert refusal("http://127.0.0.1:5000", allowed=["localhost"]) == "custom_vision_host"
    found = understand("http://127.0.0.1:5000/", ID, ["127.0.0.1"])
    assert found.endpoint == "http://127.0.0.1:5000"
    assert refusal("http://a.127.0.0.1:80", allowed=["127.0.0.1"]).startswith("custom_vision_")


@pytest.mark.parametrize(
    ("uri", "may"),
    [
        ("https://irisprod.blob.core.windows.net/i/a?sig=b", True),
        ("https://irisprod.blob.core.windows.net:443/i/a", True),
        ("http://irisprod.blob.core.windows.net/i/a", False),
        ("https://irisprod.blob.core.windows.net:6379/i/a", False),
        ("https://blob.core.windows.net.evil.example/a", False),
        ("https://user@irisprod.blob.core.windows.net/a", False),
        ("http://10.0.0.5/a", False),
        ("http://127.0.0.1/a", False),
        ("file:///etc/passwd", False),
        ("//irisprod.blob.core.windows.net/a", False),
        ("https://[::1]/a", False),
        ("", False),
    ],
)
def test_pictures_come_from_blob_storage_only(uri: str, *, may: bool) -> None:
    assert may_fetch(uri, MICROSOFT) is may


def test_pictures_of_a_listed_loopback_host_too() -> None:
    assert may_fetch("http://127.0.0.1:81/a", ["127.0.0.1"])
    assert not may_fetch("http://127.0.0.1:81/a", ["localhost"])
