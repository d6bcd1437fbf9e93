#!/usr/bin/env bash
# The sample app as a signed APK without Gradle and without Google's SDK.
#
#   ./build_apk.sh BUNDLE OUT.apk
#
# Needs Debian's aapt (which has aapt2), android-framework-res, zipalign, apksigner, zip and a JDK; for the code, Maven.
# WORK (a directory) keeps intermediate files; KEYSTORE (password in KEYPASS) signs, else a throwaway key does.
# LITERT=libLiteRt.so, from the wheel ai-edge-litert, runs the tests before packing, those of the screen on Robolectric.
# CODE=no leaves the code out: resources and assets only. NO_COMPRESS lists the endings that are stored; aapt2 needs their dot.
set -euo pipefail
bundle=$(realpath "${1:?bundle}")
out=$(realpath -m "${2:?APK to write}")
cd "$(dirname "$0")"
work=${WORK-}
if [ -z "$work" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
fi
code=${CODE:-yes}
litert=${LITERT-}
framework=${FRAMEWORK:-/usr/share/android-framework-res/framework-res.apk}
no_compress=${NO_COMPRESS-.tflite .npy}
abis=${ABIS-arm64-v8a armeabi-v7a x86_64}
# 16 KB, the largest page size of a device: every stored file begins a page, so that it is mapped without its neighbours.
page=16384

# The Gradle file is the only place where these are written.
of_gradle() { sed -n "s/^ *$1 = \"\{0,1\}\([^\" ]*\)\"\{0,1\}.*/\1/p" app/build.gradle.kts | head -n 1; }
package=$(of_gradle namespace)
min_sdk=$(of_gradle minSdk)

resources() {
  # Gradle's plugin takes the package from its own file and rejects it in the manifest; aapt2 reads it nowhere else.
  sed "s/<manifest /<manifest package=\"$package\" /" app/src/main/AndroidManifest.xml >"$work/AndroidManifest.xml"
  # Libraries are mapped from the APK, which is Gradle's default since minSdk 23.
  sed -i 's/<application/<application android:extractNativeLibs="false"/' "$work/AndroidManifest.xml"
  if [ "$code" = no ]; then sed -i 's/<application/<application android:hasCode="false"/' "$work/AndroidManifest.xml"; fi
  rm -rf "$work/assets"
  mkdir -p "$work/assets"
  cp -r "$bundle" "$work/assets/bundle"
  local stored=()
  for ending in $no_compress; do stored+=(-0 "$ending"); done
  aapt2 compile --dir app/src/main/res -o "$work/res.zip"
  aapt2 link -o "$work/unaligned.apk" --proguard "$work/keep.txt" -I "$framework" --manifest "$work/AndroidManifest.xml" -A "$work/assets" "${stored[@]}" \
    --java "$work/r" --min-sdk-version "$min_sdk" --target-sdk-version "$(of_gradle targetSdk)" \
    --version-code "$(of_gradle versionCode)" --version-name "$(of_gradle versionName)" "$work/res.zip"
}

maven() { mvn -q -B -f pom.xml "-Dwork=$work" "-Dclient=$(realpath ../client)" "$@"; }

# The tests of the screen run on Robolectric's Android, with the resources that aapt2 linked and the bundle in the assets.
robolectric() {
  maven dependency:copy@robolectric
  unzip -q -o "$parts/monitor.aar" -d "$parts/monitor"
  mkdir -p "$work/robolectric/com/android/tools"
  printf '%s\n' "android_resource_apk=$work/unaligned.apk" "android_merged_manifest=$work/AndroidManifest.xml" \
    "android_merged_assets=$work/assets" "android_custom_package=$package" >"$work/robolectric/com/android/tools/test_config.properties"
}

code() {
  local parts=$work/parts
  maven dependency:copy@parts
  for aar in tensorflow-lite tensorflow-lite-api; do unzip -q -o "$parts/$aar.aar" -d "$parts/$aar"; done
  robolectric # Maven wants the tests' classes even where it leaves the tests out
  if [ -n "$litert" ]; then
    maven "-Dpocketrec.litert=$litert" package
  else
    maven -Dmaven.test.skip=true package
  fi
  rm -rf "$work/add"
  mkdir -p "$work/add/lib"
  # java.* comes from the JDK here; newer calls are kept out by the compiler's limit to Java 8.
  local java_home
  java_home=$(dirname "$(dirname "$(realpath "$(command -v java)")")")
  # The rules of a Gradle release build: classes named in the manifest, rules of TensorFlow Lite's .aar, native methods, enums.
  printf '%s\n' '-dontwarn org.jetbrains.annotations.**' '-keepclasseswithmembernames class * { native <methods>; }' \
    '-keepclassmembers enum * { public static **[] values(); public static ** valueOf(java.lang.String); }' >"$work/rules.txt"
  java -cp "${R8:-$parts/r8.jar}" com.android.tools.r8.R8 --release --min-api "$min_sdk" --lib "$parts/android.jar" --lib "$java_home" \
    --pg-conf "$work/keep.txt" --pg-conf "$parts/tensorflow-lite/proguard.txt" --pg-conf "$work/rules.txt" --output "$work/add" \
    "$work/target/sample-0.1.0.jar" "$parts/kotlin-stdlib.jar" "$parts"/tensorflow-lite*/classes.jar
  for abi in $abis; do cp -r "$parts/tensorflow-lite/jni/$abi" "$work/add/lib/"; done
  # No entries for directories: apksigner drops them, and the entries that follow would lose their alignment.
  (cd "$work/add" && zip -q -X -D -0 -r "$work/unaligned.apk" classes.dex lib)
}

sign() {
  local store=${KEYSTORE:-$work/throwaway.p12}
  if [ ! -e "$store" ]; then
    keytool -genkeypair -keystore "$store" -storetype PKCS12 -storepass "${KEYPASS:-throwaway}" -alias app -keyalg EC \
      -groupname secp256r1 -validity 10000 -dname "CN=throwaway key" 2>/dev/null
  fi
  apksigner sign --v1-signing-enabled false --ks "$store" --ks-pass "pass:${KEYPASS:-throwaway}" --min-sdk-version "$min_sdk" \
    --out "$out" "$work/aligned.apk"
}

resources
if [ "$code" != no ]; then code; fi
zipalign -f "$page" "$work/unaligned.apk" "$work/aligned.apk"
sign
apksigner verify --min-sdk-version "$min_sdk" "$out"
