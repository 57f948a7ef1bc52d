import pytest


@pytest.mark.parametrize("n", range(3))
def test_x(desk, open_page, n):
    r = desk.add_deal(f"Z-{n}", "They said price and the champion left.")
    p = open_page("ana", f"/review/deals/{r}")
    p.wait_for_selector(".has-script")
    p.evaluate("""() => { window.log=[]; document.addEventListener('keydown', e => window.log.push(e.key+':'+(e.target.id||e.target.tagName)+':'+e.defaultPrevented+':'+!!document.querySelector('dialog[open]')), true);
      document.querySelector('#verdict').addEventListener('submit', e=>window.log.push('submit '+e.defaultPrevented))}""")
    for k in ["r","b","u","Enter","s"]:
        p.keyboard.press(k)
    try:
        print(p.evaluate("[document.activeElement.id||document.activeElement.tagName, document.querySelector('#pick').open, document.querySelector('#pick input').value, document.querySelector('#pick-list').innerText.slice(0,60), document.querySelector('#status')?.innerText, document.querySelector('#primary')?.value, window.log, document.querySelector('#verdict').dataset.sent]"))
        print(p.evaluate("[...document.querySelectorAll(':invalid')].map(e=>e.outerHTML.slice(0,200))"))
    except Exception as e: print("gone", e)
    p.wait_for_timeout(1000)
    print(p.url)
    assert 0
