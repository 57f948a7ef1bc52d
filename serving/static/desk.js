// The little that pages need beside htmx. Loaded on every page.
"use strict";
