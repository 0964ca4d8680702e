"""A library that makes a program see another time than the machine has, as hosts do that differ."""

import shutil
import subprocess
from pathlib import Path

_SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long shift(void) {
    const char *text = getenv("CLOCK_SHIFT");
    return text ? atol(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *result) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *)) dlsym(RTLD_NEXT, "clock_gettime");
    int status = real(clock, result);
    if (status == 0 && clock == CLOCK_REALTIME) result->tv_sec += shift();
    return status;
}

int gettimeofday(struct timeval *result, void *zone) {
    struct timespec now;
    (void) zone;
    clock_gettime(CLOCK_REALTIME, &now);
    result->tv_sec = now.tv_sec;
    result->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}
"""


def build(folder: Path) -> Path | None:
    """Return the library; None where there is no compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    source, library = folder / "clock.c", folder / "clock.so"
    source.write_text(_SOURCE)
    options = ["-shared", "-fPIC", "-O1", str(source), "-o", str(library), "-ldl"]
    subprocess.run([compiler, *options], check=True)
    return library


def environment(library: Path, *, seconds: int) -> dict[str, str]:
    """Return what makes a program see a time that is so much later."""
    return {"LD_PRELOAD": str(library), "CLOCK_SHIFT": str(seconds)}
