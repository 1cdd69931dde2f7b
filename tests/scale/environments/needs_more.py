"""An environment whose package needs another that is not there."""

import a_package_that_is_not_there  # noqa: F401
