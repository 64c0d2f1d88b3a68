// Vector instructions where the processor has them: each use has a plain function beside it that does the same.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#define GATEHOUSE_AVX2 1
#define GATEHOUSE_AVX2_TARGET __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define GATEHOUSE_AVX512_TARGET \
  __attribute__((target("avx2,bmi,bmi2,popcnt,avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,avx512bitalg")))
#else
#define GATEHOUSE_AVX2 0
#endif

namespace gatehouse::dlp {

enum class Vectors { none, avx2, avx512 };

// Tests set it to less, to try the other functions.
inline Vectors use_vectors = Vectors::avx512;
inline constexpr Vectors kAllVectors[] = {Vectors::none, Vectors::avx2, Vectors::avx512};

#if GATEHOUSE_AVX2
inline bool has_avx2() {
  static const bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
  return has && use_vectors >= Vectors::avx2;
}

// The AVX-512 of Ice Lake and Zen 4, and what came after them.
inline bool has_avx512() {
  static const bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") &&
                          __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi") &&
                          __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512bitalg");
  return has && use_vectors >= Vectors::avx512;
}
#endif

}  // namespace gatehouse::dlp
