#pragma once

// What --version prints, and the newest number in CHANGELOG.md.
inline constexpr const char* kVersion = "1.0";
