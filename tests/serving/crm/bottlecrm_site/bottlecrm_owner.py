"""Makes the owner of all organisations and prints a token for the web, which later makes them."""

from __future__ import annotations

import django

django.setup()

from common.models import Org, Profile, User  # noqa: E402
from common.serializer import OrgAwareRefreshToken  # noqa: E402

user = User.objects.create(email="owner@example.com", name="Ada Rep")
org = Org.objects.create(name="First")
profile = Profile.objects.create(user=user, org=org, role="ADMIN", is_active=True)
print(OrgAwareRefreshToken.for_user_and_org(user, org, profile).access_token)  # noqa: T201
