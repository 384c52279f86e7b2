"""The commons as an OAuth 2 and OpenID provider for other programs.

Vocabulary
----------
client
    An application that an administrator registered. It is *confidential* when it can keep a secret (a server), else
    *public* (a page, a program on somebody's computer).
code
    What the browser carries from here to the client, which redeems it for tokens: once, soon, at the address that was
    registered, with the verifier whose challenge it sent before (PKCE).
session
    All that came of one code: its refresh tokens, each good once, and their access tokens (``sid``). It ends as a
    whole, also when a code or a refresh token is used a second time, since then somebody else has a copy of it.
consent
    What a user allowed a client to do for him; remembered, so that he is not asked again for the same or less.

Rules: RFC 6749, 7636 (PKCE), 7009 (revocation), 9207 (``iss`` in answers), the practices of RFC 9700 and OAuth 2.1, and
OpenID Connect Core 1.0. ``protocol`` and ``clients`` decide, ``store`` keeps, ``issue`` does both in one transaction.

Why not Authlib, which Gen3 uses? Its server (1.9) was tried. It reads and writes storage in the middle of its
validation; a quotation mark or an accent in a client's ``redirect_uri`` or ``response_type``, or a byte that is not
UTF-8 in its ``Authorization`` header, ends in an exception and a 500; it writes issued tokens into the debug log; and
reuse detection, the part that matters most, would have been ours anyway. The tests use it as a client, for which it is
excellent.
"""
